"""Cities as files: what `sensorthings city` reads, checks and writes.

Without any of Pulumi's packages, and pure but for ``files``, which reads.
"""
