"""What a labgrid place offers, as the URL that edgeprof goes by. With a real coordinator: tests/integration."""

import pytest

from edgeprof.inventory.labgrid import parse_place, way_to
from edgeprof.transport.serialurl import parse_address


@pytest.mark.parametrize("protocol", ["rfc2217", "raw"])
def test_a_serial_port_is_opened_at_the_speed_that_labgrid_names(protocol):
    params = {"host": "lab", "port": 4001, "protocol": protocol, "speed": 1_500_000, "extra": {}}
    port = {"cls": "NetworkSerialPort", "avail": True, "params": params}

    address = parse_address(way_to(parse_place("labgrid://edge@shelf"), "shelf", [port]))

    assert address.baud == 1_500_000
    assert address.bytes_per_s == 150_000  # of a raw socket too: an estimate can be made
    assert address.user == "edge"


def test_a_serial_port_whose_speed_nobody_names_has_the_usual_one():
    params = {"host": "lab", "port": 4001, "protocol": "rfc2217", "extra": {}}
    port = {"cls": "NetworkSerialPort", "avail": True, "params": params}

    assert parse_address(way_to(parse_place("labgrid://shelf"), "shelf", [port])).baud == 115_200
