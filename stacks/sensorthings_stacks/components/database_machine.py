"""One machine of the database in one availability zone, with a data disk that outlives it. Database layer."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import compute, network

if TYPE_CHECKING:
    from pulumi import Input

ADMINISTRATOR = "city"
"""Account of those who administer the machines, by SSH key only."""
DATA_DISK = "/dev/disk/azure/scsi1/lun0"
"""Where Azure's udev rules show the data disk."""


@dataclass(frozen=True)
class DatabaseMachineArgs:
    """Arguments of a DatabaseMachine."""

    resource_group: Input[str]
    """Name of the resource group."""
    subnet: Input[str]
    """Id of the subnet."""
    zone: str
    """Availability zone."""
    address: Input[str]
    """Its address in the subnet."""
    host_name: str
    """Its host name."""
    vm_size: str
    """Azure's name of its size."""
    disk_gibibytes: int | None
    """Size of its data disk; None for a machine without data."""
    user_data: Input[str]
    """cloud-init user-data. Taken at the first start only."""
    administrator_key: str
    """Public SSH key."""
    identity: Input[str]
    """Id of the managed identity."""
    pool: Input[str] | None = None
    """Id of the load balancer's pool that it joins."""


class DatabaseMachine(pulumi.ComponentResource):
    """A virtual machine with its network interface and its data disk."""

    def __init__(self, name: str, args: DatabaseMachineArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:database:DatabaseMachine", name, None, opts)
        self._name, self._args = name, args
        interface = network.NetworkInterface(
            name,
            resource_group_name=args.resource_group,
            ip_configurations=[
                network.NetworkInterfaceIPConfigurationArgs(
                    name="main",
                    subnet=network.SubnetArgs(id=args.subnet),
                    private_ip_allocation_method=network.IPAllocationMethod.STATIC,
                    private_ip_address=args.address,
                    load_balancer_backend_address_pools=_pools(args.pool),
                )
            ],
            opts=ResourceOptions(parent=self),
        )
        compute.VirtualMachine(
            name,
            resource_group_name=args.resource_group,
            zones=[args.zone],
            hardware_profile=compute.HardwareProfileArgs(vm_size=args.vm_size),
            network_profile=compute.NetworkProfileArgs(
                network_interfaces=[compute.NetworkInterfaceReferenceArgs(id=interface.id, primary=True)]
            ),
            os_profile=self._system(),
            identity=self._identity(),
            security_profile=compute.SecurityProfileArgs(
                encryption_at_host=True,
                security_type=compute.SecurityTypes.TRUSTED_LAUNCH,
                uefi_settings=compute.UefiSettingsArgs(secure_boot_enabled=True, v_tpm_enabled=True),
            ),
            storage_profile=self._storage(),
            # User-data counts at the first start only, and another one would replace the machine.
            opts=ResourceOptions(parent=self, protect=True, ignore_changes=["osProfile.customData"]),
        )
        self.register_outputs({})

    def _system(self) -> compute.OSProfileArgs:
        args = self._args
        return compute.OSProfileArgs(
            computer_name=args.host_name,
            admin_username=ADMINISTRATOR,
            custom_data=pulumi.Output.from_input(args.user_data).apply(_encoded),
            linux_configuration=compute.LinuxConfigurationArgs(
                disable_password_authentication=True,
                ssh=compute.SshConfigurationArgs(
                    public_keys=[
                        compute.SshPublicKeyArgs(
                            path=f"/home/{ADMINISTRATOR}/.ssh/authorized_keys", key_data=args.administrator_key
                        )
                    ]
                ),
                # Azure would choose the hour, and restart what it likes: the machines update themselves in turn.
                patch_settings=compute.LinuxPatchSettingsArgs(
                    patch_mode=compute.LinuxVMGuestPatchMode.IMAGE_DEFAULT,
                    assessment_mode=compute.LinuxPatchAssessmentMode.AUTOMATIC_BY_PLATFORM,
                ),
            ),
        )

    def _identity(self) -> compute.VirtualMachineIdentityArgs:
        return compute.VirtualMachineIdentityArgs(
            type=compute.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[self._args.identity]
        )

    def _storage(self) -> compute.StorageProfileArgs:
        return compute.StorageProfileArgs(
            image_reference=compute.ImageReferenceArgs(
                publisher="Debian", offer="debian-12", sku="12-gen2", version="latest"
            ),
            os_disk=compute.OSDiskArgs(
                create_option=compute.DiskCreateOptionTypes.FROM_IMAGE,
                delete_option=compute.DiskDeleteOptionTypes.DELETE,
                managed_disk=compute.ManagedDiskParametersArgs(
                    storage_account_type=compute.StorageAccountTypes.PREMIUM_LRS
                ),
            ),
            data_disks=self._data_disks(),
        )

    def _data_disks(self) -> list[compute.DataDiskArgs]:
        """A resource of its own, not a part of the machine: the machine may be replaced, the data stay."""
        args = self._args
        if args.disk_gibibytes is None:
            return []
        disk = compute.Disk(
            f"{self._name}-data",
            resource_group_name=args.resource_group,
            zones=[args.zone],
            sku=compute.DiskSkuArgs(name=compute.DiskStorageAccountTypes.PREMIUM_LRS),
            creation_data=compute.CreationDataArgs(create_option=compute.DiskCreateOption.EMPTY),
            disk_size_gb=args.disk_gibibytes,
            network_access_policy=compute.NetworkAccessPolicy.DENY_ALL,
            public_network_access=compute.PublicNetworkAccess.DISABLED,
            opts=ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )
        return [
            compute.DataDiskArgs(
                lun=0,
                create_option=compute.DiskCreateOptionTypes.ATTACH,
                delete_option=compute.DiskDeleteOptionTypes.DETACH,
                caching=compute.CachingTypes.NONE,
                managed_disk=compute.ManagedDiskParametersArgs(id=disk.id),
            )
        ]


def _pools(pool: Input[str] | None) -> list[network.BackendAddressPoolArgs] | None:
    return None if pool is None else [network.BackendAddressPoolArgs(id=pool)]


def _encoded(user_data: str) -> str:
    return base64.b64encode(user_data.encode()).decode()
