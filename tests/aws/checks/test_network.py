"""The VPC of jobs in a made-up account: what belongs together, and what can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from basketwise.aws import clients
from basketwise.aws.account import policies
from basketwise.aws.checks.network import network
from basketwise.config import AwsConfig, Config
from basketwise.doctor.check import Check
from tests.aws.calls import NAMES
from tests.aws.controls import GROUPS, SUBNETS
from tests.aws.iam_rules import allows
from tests.aws.moto_account import account, client_of
from tests.aws.recording import Recorder

S3 = f"com.amazonaws.{NAMES.region}.s3"
ISOLATED = {"network_isolation": True}


class Vpc:
    """A VPC with two subnets: one has a route table of its own, one the main one."""

    def __init__(self) -> None:
        ec2: Any = client_of("ec2")
        self.ec2 = ec2
        self.id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = tuple(
            ec2.create_subnet(VpcId=self.id, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"]
            for n in range(2)
        )
        group = ec2.create_security_group(GroupName="jobs", Description="x", VpcId=self.id)
        self.groups = (group["GroupId"],)
        self.own = ec2.create_route_table(VpcId=self.id)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=self.own, SubnetId=self.subnets[0])
        filters = [
            {"Name": "vpc-id", "Values": [self.id]},
            {"Name": "association.main", "Values": ["true"]},
        ]
        (main,) = ec2.describe_route_tables(Filters=filters)["RouteTables"]
        self.main = main["RouteTableId"]

    def endpoint(self, *tables: str) -> None:
        """Add a gateway endpoint for S3."""
        self.ec2.create_vpc_endpoint(VpcId=self.id, ServiceName=S3, RouteTableIds=list(tables))

    def nat(self, table: str) -> None:
        """Add a way out by a NAT gateway."""
        gateway = self.ec2.create_nat_gateway(SubnetId=self.subnets[1], ConnectivityType="private")[
            "NatGateway"
        ]["NatGatewayId"]
        self.route(table, NatGatewayId=gateway)

    def route(self, table: str, **way: str) -> None:
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **way)

    def check(self, **settings: Any) -> Check:
        given = {"subnets": self.subnets, "security_groups": self.groups, **settings}
        (check,) = network(Config(aws=AwsConfig(region=NAMES.region, **given)), NAMES)
        return check


@pytest.fixture
def vpc() -> Iterator[Vpc]:
    with (
        account(),
        mock.patch.object(clients, "client", lambda service, _: client_of(service)),
    ):
        yield Vpc()


def test_without_a_vpc_nothing_is_asked() -> None:
    assert list(network(Config(), NAMES)) == []


def test_an_endpoint_for_s3_suffices_isolated_jobs(vpc: Vpc) -> None:
    vpc.endpoint(vpc.own, vpc.main)
    check = vpc.check(**ISOLATED)
    assert check.state == "ok"
    assert check.text == (
        f"{', '.join(vpc.subnets)} in {vpc.id}, with {vpc.groups[0]}; S3 can be reached"
    )


def test_no_way_to_s3_is_said_with_what_adds_one(vpc: Vpc) -> None:
    vpc.endpoint(vpc.own)
    check = vpc.check(**ISOLATED)
    assert check.state == "warning"
    assert f"from {vpc.subnets[1]}: jobs could not read" in check.text
    assert f"--vpc-id {vpc.id} --service-name {S3} --route-table-ids {vpc.main}" in check.fix


def test_an_internet_gateway_is_no_way_for_a_job(vpc: Vpc) -> None:
    gateway = vpc.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    vpc.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc.id)
    for table in (vpc.own, vpc.main):
        vpc.route(table, GatewayId=gateway)
    assert vpc.check(**ISOLATED).state == "warning"


def test_jobs_that_install_libraries_need_a_way_to_an_index(vpc: Vpc) -> None:
    vpc.endpoint(vpc.own, vpc.main)
    vpc.nat(vpc.own)
    check = vpc.check()
    assert check.state == "warning"
    assert f"No way to a package index is known from {vpc.subnets[1]}" in check.text
    assert "aws.network_isolation" in check.fix
    vpc.nat(vpc.main)
    assert vpc.check().state == "ok"


def test_an_interface_endpoint_is_a_way_to_s3_too(vpc: Vpc) -> None:
    vpc.ec2.create_vpc_endpoint(
        VpcId=vpc.id, ServiceName=S3, VpcEndpointType="Interface", SubnetIds=[vpc.subnets[0]]
    )
    assert vpc.check(**ISOLATED).state == "ok"


@pytest.mark.parametrize("given", [{"subnets": SUBNETS}, {"security_groups": GROUPS}])
def test_what_does_not_exist_is_named(vpc: Vpc, given: dict[str, Any]) -> None:
    check = vpc.check(**given)
    assert (check.state, check.exit_code) == ("failed", 2)
    assert str(next(iter(given.values()))[0]) in check.text


def test_parts_of_several_vpcs_are_refused(vpc: Vpc) -> None:
    check = vpc.check(security_groups=Vpc().groups)
    assert (check.state, check.exit_code) == ("failed", 2)
    assert "are in several VPCs" in check.text


def test_what_is_asked_is_what_the_policy_allows(vpc: Vpc) -> None:
    recorder = Recorder("run", NAMES)
    with recorder.watching(vpc.ec2):
        vpc.check()
    settings = AwsConfig(subnets=vpc.subnets, security_groups=vpc.groups)
    policy = policies.policy("run", NAMES, settings)
    assert {call.action for call in recorder.calls} == {
        f"ec2:Describe{kind}"
        for kind in ("RouteTables", "SecurityGroups", "Subnets", "VpcEndpoints")
    }
    for call in recorder.calls:
        assert allows(policy, call.action, call.resource)
        assert not allows(policies.policy("run", NAMES), call.action, call.resource)
