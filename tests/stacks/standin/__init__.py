"""A stand-in for Pulumi's engine, for tests: it runs the programs unmodified, in processes of their own, by gRPC.

What is real: the programs, Pulumi's SDK and its language runner; URNs, dependencies, secrets, transforms, stack
references. What stands in: the engine's plans (create, update, replace, delete), kept as small as the tests need them,
and the clouds, which answer with what was asked for. So a plan that is right here may still be wrong on Azure.
"""
