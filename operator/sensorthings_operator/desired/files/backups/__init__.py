"""Makes backups of a managed database, looks through its archive and restores it, with pgBackRest.

Mounted by the operator into pods of PostgreSQL's image, and run there as ``python3 -m backups COMMAND`` by Debian's
Python: nothing but its standard library. What it says is the container's termination message, a few lines of JSON that
the operator reads (observe/backupruns.py).
"""
