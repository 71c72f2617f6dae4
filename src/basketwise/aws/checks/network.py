"""The VPC of the jobs: whether its parts belong together, and what can be reached from there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from basketwise.aws import clients
from basketwise.aws.checks.account import unknown
from basketwise.aws.errors import Meaning, call, translated
from basketwise.aws.names import AwsNames
from basketwise.config import AwsConfig, Config
from basketwise.doctor.check import Check, guarded

OUTSIDE = ("NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId", "CoreNetworkArn")
"""Ways out of a subnet for interfaces without a public address, as those of jobs are; an internet
gateway is none."""

ANYWHERE = "0.0.0.0/0"


def network(config: Config, names: AwsNames) -> Iterator[Check]:
    """Check subnets and security groups, and the ways from there; nothing without a VPC."""
    if config.aws.subnets:
        ec2 = clients.client("ec2", config.aws)
        yield guarded("network", lambda: _network(ec2, config.aws, names), unknown)


def _network(ec2: Any, aws: AwsConfig, names: AwsNames) -> Check:
    subnets, groups = list(aws.subnets), list(aws.security_groups)
    vpcs: dict[str, str] = {}
    for kind, ids, read, key, name in (
        ("subnets", subnets, ec2.describe_subnets, "Subnets", "SubnetId"),
        ("security groups", groups, ec2.describe_security_groups, "SecurityGroups", "GroupId"),
    ):
        option = {"Subnets": "SubnetIds", "SecurityGroups": "GroupIds"}[key]
        request = partial(read, **{option: ids})
        answer = call(f"describe the {kind} {', '.join(ids)}", request, Meaning.MISSING)
        if answer is None:
            text = f"Of the {kind} {', '.join(ids)}, some are not in {names.region}."
            return Check("network", "failed", text, "Correct aws.subnets, aws.security_groups.", 2)
        vpcs |= {item[name]: item["VpcId"] for item in answer[key]}
    if len(set(vpcs.values())) > 1:
        places = ", ".join(f"{name} in {vpc}" for name, vpc in vpcs.items())
        text = f"Subnets and security groups are in several VPCs: {places}."
        return Check("network", "failed", text, "Choose all of them from one VPC.", 2)
    vpc = next(iter(vpcs.values()))
    return _ways(ec2, aws, names, vpc)


def _ways(ec2: Any, aws: AwsConfig, names: AwsNames, vpc: str) -> Check:
    """Check the ways from each subnet to S3 and, if jobs install libraries, elsewhere."""
    service = f"com.amazonaws.{names.region}.s3"
    with translated(f"describe endpoints and routes of {vpc}"):
        endpoints = ec2.describe_vpc_endpoints(
            Filters=[
                {"Name": "vpc-id", "Values": [vpc]},
                {"Name": "service-name", "Values": [service]},
            ]
        )["VpcEndpoints"]
        tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    routes = {subnet: _table_of(subnet, tables["RouteTables"]) for subnet in aws.subnets}
    gateways = {table for endpoint in endpoints for table in endpoint.get("RouteTableIds", ())}
    interfaces = any(endpoint.get("VpcEndpointType") == "Interface" for endpoint in endpoints)
    closed = [name for name, table in routes.items() if not _leads_outside(table)]
    cut_off = [
        name
        for name in closed
        if not interfaces and routes[name].get("RouteTableId") not in gateways
    ]
    if cut_off:
        ids = sorted({str(routes[name].get("RouteTableId", "rtb-…")) for name in cut_off})
        return Check(
            "network",
            "warning",
            f"No way to S3 is known from {', '.join(cut_off)}: jobs could not read their files.",
            f"Add a gateway endpoint: aws ec2 create-vpc-endpoint --vpc-id {vpc} --service-name "
            f"{service} --route-table-ids {' '.join(ids)} --region {names.region}",
        )
    if closed and aws.installs and not aws.network_isolation:
        return Check(
            "network",
            "warning",
            f"No way to a package index is known from {', '.join(closed)}, and jobs install "
            "libraries.",
            'Set aws.network_isolation to true, aws.image to "own", or add a NAT gateway. An index '
            "within the VPC is not seen here.",
        )
    groups = ", ".join(aws.security_groups)
    text = f"{', '.join(aws.subnets)} in {vpc}, with {groups}; S3 can be reached"
    return Check("network", "ok", text)


def _table_of(subnet: str, tables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the route table of a subnet: its own, or else the VPC's main one."""
    for key, value in (("SubnetId", subnet), ("Main", True)):
        for table in tables:
            if any(item.get(key) == value for item in table.get("Associations", ())):
                return table
    return {}


def _leads_outside(table: Mapping[str, Any]) -> bool:
    return any(
        route.get("DestinationCidrBlock") == ANYWHERE and any(route.get(way) for way in OUTSIDE)
        for route in table.get("Routes", ())
    )
