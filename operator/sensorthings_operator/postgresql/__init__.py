"""What PostgreSQL and Patroni are told wherever they run: in pods of a managed database, or on the stacks' machines."""
