"""The city's Kubernetes cluster (AKS) with its node pools and maintenance window. Cluster layer.

The choices that keep a change from replacing the cluster: the user pool is a resource of its own, what the autoscaler
changes is ignored, the cluster is protected.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import authorization, containerservice, managedidentity

from sensorthings_stacks import roles
from sensorthings_stacks.components.network import ZONES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import Input, Output

    from sensorthings_stacks.settings.cluster import ClusterSettings, MaintenanceWindow, NodePool

_SCALE_SET = containerservice.AgentPoolType.VIRTUAL_MACHINE_SCALE_SETS
_SCHEDULES = ("aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule")
"""The names that AKS gives a meaning: patches of Kubernetes, and of the nodes' operating system."""


@dataclass(frozen=True)
class ClusterArgs:
    """Arguments of a Cluster."""

    resource_group: Input[str]
    """Name of the resource group."""
    resource_group_id: Input[str]
    """Its id: the cluster may use public addresses in it."""
    subnet: Input[str]
    """Id of the nodes' subnet."""
    pod_range: Input[str]
    """Addresses of pods."""
    service_range: Input[str]
    """Addresses of Services."""
    egress_address: Input[str]
    """Public address of the subnet's NAT gateway, with which nodes reach the cluster's API."""
    settings: ClusterSettings
    """What the city configured."""


class Cluster(pulumi.ComponentResource):
    """AKS with a system and a user pool over three zones."""

    kubeconfig: Output[str]
    """Access to the cluster: a secret, although it names no password."""
    node_identity: Output[str]
    """Id of the principal as which nodes fetch images; AKS makes it."""

    def __init__(self, name: str, args: ClusterArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:cluster:Cluster", name, None, opts)
        self._name, self._args = name, args
        identity = managedidentity.UserAssignedIdentity(
            name, resource_group_name=args.resource_group, opts=ResourceOptions(parent=self)
        )
        rights = authorization.RoleAssignment(
            f"{name}-network",
            principal_id=identity.principal_id,
            principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
            role_definition_id=roles.NETWORK_CONTRIBUTOR,
            scope=args.resource_group_id,
            opts=ResourceOptions(parent=self),
        )
        self._cluster = self._managed_cluster(identity, rights)
        self._user_pool()
        for schedule in _SCHEDULES:
            self._maintenance(schedule, args.settings.maintenance)
        credentials = containerservice.list_managed_cluster_user_credentials_output(
            resource_group_name=args.resource_group,
            resource_name=self._cluster.name,
            # By kubelogin; what Azure gives otherwise, kubectl no longer knows.
            format="exec",
            opts=pulumi.InvokeOutputOptions(parent=self),
        )
        self.kubeconfig = pulumi.Output.secret(credentials.apply(_kubeconfig))
        self.node_identity = self._cluster.identity_profile.apply(_node_identity)
        self.register_outputs({"kubeconfig": self.kubeconfig})

    def _managed_cluster(
        self, identity: managedidentity.UserAssignedIdentity, rights: authorization.RoleAssignment
    ) -> containerservice.ManagedCluster:
        args, settings = self._args, self._args.settings
        return containerservice.ManagedCluster(
            self._name,
            resource_group_name=args.resource_group,
            dns_prefix=self._name,
            kubernetes_version=settings.kubernetes_version,
            sku=containerservice.ManagedClusterSKUArgs(
                name=containerservice.ManagedClusterSKUName.BASE, tier=containerservice.ManagedClusterSKUTier.STANDARD
            ),
            identity=containerservice.ManagedClusterIdentityArgs(
                type=containerservice.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[identity.id]
            ),
            enable_rbac=True,
            disable_local_accounts=True,
            aad_profile=containerservice.ManagedClusterAADProfileArgs(
                managed=True,
                enable_azure_rbac=True,
                admin_group_object_ids=[str(group) for group in settings.administrators],
            ),
            agent_pool_profiles=[self._system_pool(settings.system_pool)],
            network_profile=self._networking(),
            api_server_access_profile=self._api_access(),
            addon_profiles=_container_insights(settings.container_insights),
            oidc_issuer_profile=containerservice.ManagedClusterOIDCIssuerProfileArgs(enabled=True),
            security_profile=containerservice.ManagedClusterSecurityProfileArgs(
                workload_identity=containerservice.ManagedClusterSecurityProfileWorkloadIdentityArgs(enabled=True),
                image_cleaner=containerservice.ManagedClusterSecurityProfileImageCleanerArgs(
                    enabled=True, interval_hours=168
                ),
            ),
            auto_upgrade_profile=containerservice.ManagedClusterAutoUpgradeProfileArgs(
                upgrade_channel=containerservice.UpgradeChannel.PATCH,
                node_os_upgrade_channel=containerservice.NodeOSUpgradeChannel.SECURITY_PATCH,
            ),
            auto_scaler_profile=containerservice.ManagedClusterPropertiesAutoScalerProfileArgs(
                balance_similar_node_groups="true", expander=containerservice.Expander.LEAST_WASTE
            ),
            opts=ResourceOptions(
                parent=self,
                protect=True,
                depends_on=[rights],
                ignore_changes=["agentPoolProfiles[0].count"],
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="120m"),
            ),
        )

    def _system_pool(self, pool: NodePool) -> containerservice.ManagedClusterAgentPoolProfileArgs:
        return containerservice.ManagedClusterAgentPoolProfileArgs(
            name="system",
            mode=containerservice.AgentPoolMode.SYSTEM,
            type=_SCALE_SET,
            vm_size=pool.vm_size,
            count=pool.min_nodes,
            min_count=pool.min_nodes,
            max_count=pool.max_nodes,
            enable_auto_scaling=True,
            availability_zones=list(ZONES),
            os_sku=containerservice.OSSKU.AZURE_LINUX,
            os_type=containerservice.OSType.LINUX,
            os_disk_type=containerservice.OSDiskType.EPHEMERAL,
            vnet_subnet_id=self._args.subnet,
            enable_encryption_at_host=True,
            node_taints=["CriticalAddonsOnly=true:NoSchedule"],
            upgrade_settings=_upgrades(),
        )

    def _user_pool(self) -> None:
        pool = self._args.settings.user_pool
        containerservice.AgentPool(
            f"{self._name}-user",
            resource_group_name=self._args.resource_group,
            resource_name_=self._cluster.name,
            agent_pool_name="user",
            mode=containerservice.AgentPoolMode.USER,
            type=_SCALE_SET,
            vm_size=pool.vm_size,
            count=pool.min_nodes,
            min_count=pool.min_nodes,
            max_count=pool.max_nodes,
            enable_auto_scaling=True,
            availability_zones=list(ZONES),
            os_sku=containerservice.OSSKU.AZURE_LINUX,
            os_type=containerservice.OSType.LINUX,
            os_disk_type=containerservice.OSDiskType.EPHEMERAL,
            vnet_subnet_id=self._args.subnet,
            enable_encryption_at_host=True,
            upgrade_settings=_upgrades(),
            opts=ResourceOptions(parent=self, ignore_changes=["count"]),
        )

    def _networking(self) -> containerservice.ContainerServiceNetworkProfileArgs:
        return containerservice.ContainerServiceNetworkProfileArgs(
            network_plugin=containerservice.NetworkPlugin.AZURE,
            network_plugin_mode=containerservice.NetworkPluginMode.OVERLAY,
            network_dataplane=containerservice.NetworkDataplane.CILIUM,
            network_policy=containerservice.NetworkPolicy.CILIUM,
            pod_cidr=self._args.pod_range,
            service_cidr=self._args.service_range,
            dns_service_ip=pulumi.Output.from_input(self._args.service_range).apply(_tenth_address),
            load_balancer_sku=containerservice.LoadBalancerSku.STANDARD,
            outbound_type=containerservice.OutboundType.USER_ASSIGNED_NAT_GATEWAY,
        )

    def _api_access(self) -> containerservice.ManagedClusterAPIServerAccessProfileArgs:
        access = self._args.settings.api_server
        if access.access == "Private":
            return containerservice.ManagedClusterAPIServerAccessProfileArgs(
                enable_private_cluster=True, disable_run_command=True
            )
        ranges = [str(given) for given in access.authorized_ranges]
        # Nodes come from the NAT gateway's address, which AKS does not add by itself.
        everybody = pulumi.Output.from_input(self._args.egress_address).apply(lambda own: [*ranges, f"{own}/32"])
        return containerservice.ManagedClusterAPIServerAccessProfileArgs(
            enable_private_cluster=False, authorized_ip_ranges=everybody, disable_run_command=True
        )

    def _maintenance(self, schedule: str, window: MaintenanceWindow) -> None:
        containerservice.MaintenanceConfiguration(
            f"{self._name}-{schedule}",
            resource_group_name=self._args.resource_group,
            resource_name_=self._cluster.name,
            config_name=schedule,
            maintenance_window=containerservice.MaintenanceWindowArgs(
                duration_hours=window.hours,
                start_time=window.start,
                utc_offset=window.utc_offset,
                schedule=containerservice.ScheduleArgs(
                    weekly=containerservice.WeeklyScheduleArgs(
                        day_of_week=containerservice.WeekDay(window.day), interval_weeks=1
                    )
                ),
            ),
            opts=ResourceOptions(parent=self),
        )


def _upgrades() -> containerservice.AgentPoolUpgradeSettingsArgs:
    """A third more nodes during an upgrade, so that none is missing."""
    return containerservice.AgentPoolUpgradeSettingsArgs(max_surge="33%", drain_timeout_in_minutes=30)


def _container_insights(workspace: str) -> dict[str, containerservice.ManagedClusterAddonProfileArgs] | None:
    if not workspace:
        return None
    config = {"logAnalyticsWorkspaceResourceID": workspace, "useAADAuth": "true"}
    return {"omsagent": containerservice.ManagedClusterAddonProfileArgs(enabled=True, config=config)}


def _node_identity(
    profile: Mapping[str, containerservice.outputs.UserAssignedIdentityManagedClusterResponse] | None,
) -> str:
    return (profile or {})["kubeletidentity"].object_id or ""


def _tenth_address(service_range: str) -> str:
    """Where cluster DNS is by convention."""
    return str(IPv4Network(service_range)[10])


def _kubeconfig(credentials: containerservice.ListManagedClusterUserCredentialsResult) -> str:
    (first, *_) = credentials.kubeconfigs
    return base64.b64decode(first.value).decode()
