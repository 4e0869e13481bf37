"""A handful of consoles once more, on a line that carries 115,200 baud and no more: nothing there arrives at once."""

import pytest

from tests.contract.transport.test_serial_login import (  # noqa: F401 - collected here once more, with their fixtures
    at,
    said,
    test_a_far_end_that_is_killed_says_so_and_gives_the_console_back,
    test_a_getty_lets_in_who_has_the_password_and_is_back_afterwards,
    test_a_shell_that_an_earlier_visit_or_noise_left_in_the_middle_of_something_is_used,
    test_an_upload_that_loses_bytes_is_done_again,
    test_messages_of_the_kernel_amid_login_and_work_do_no_harm,
    way,
)
from tests.contract.transport.uart import Uart


@pytest.fixture
def uart():
    line = Uart(baud=115_200)
    yield line
    line.close()
