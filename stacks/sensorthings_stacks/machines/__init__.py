"""What the three database machines run, as pure functions of one description: etcd, Patroni, PostgreSQL, backups."""
