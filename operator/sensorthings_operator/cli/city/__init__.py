"""``sensorthings city``: the configuration of cities, and their stacks by Pulumi's own command."""
