"""A load balancer as moto plays it."""

import boto3  # type: ignore[import-untyped]


class Balancer:
    """A load balancer at moto, with a group for the API and one for the page."""

    def __init__(self, address: str, api_port: int, page_port: int) -> None:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-west-2"}
        ec2 = boto3.client("ec2", endpoint_url=address, **keys)
        self._elb = boto3.client("elbv2", endpoint_url=address, **keys)
        network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=network, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-west-2{zone}")
            for n, zone in enumerate("ab")
        ]
        made = self._elb.create_load_balancer(
            Name="pecia", Subnets=[s["Subnet"]["SubnetId"] for s in subnets]
        )
        self.name = made["LoadBalancers"][0]["DNSName"]
        groups = []
        for what, port in (("api", api_port), ("page", page_port)):
            group = self._elb.create_target_group(
                Name=what, Protocol="HTTP", Port=port, VpcId=network, TargetType="ip"
            )["TargetGroups"][0]["TargetGroupArn"]
            self._elb.create_listener(
                LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"],
                Protocol="HTTP",
                Port=port,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
            )
            groups.append(group)
        self.api, self.page = groups

    def register(self, group: str, *addresses: str) -> None:
        """Pods behind one group."""
        targets = [{"Id": address, "Port": 8000} for address in addresses]
        self._elb.register_targets(TargetGroupArn=group, Targets=targets)
