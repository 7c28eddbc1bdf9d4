"""Pulumi components, one module each. Arguments are frozen, and a component can be used without the others."""
