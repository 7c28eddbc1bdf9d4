"""A city's cloud as typed components: what the Pulumi projects beside this package, and other people's, import.

``settings`` says what a city may configure, ``components`` what is made of it, ``layers`` how the projects are joined.
Everything else is pure: address ranges, machine sizes, PostgreSQL's tuning, the machines' cloud-init user-data.
"""
