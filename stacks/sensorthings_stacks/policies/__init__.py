"""What every resource of a city must be: rules over what a program asks for. Pure.

`stacks/policy` hands them to Pulumi's engine; the tests run them on the programs' resources.
"""
