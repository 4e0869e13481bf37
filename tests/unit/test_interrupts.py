"""Ctrl-C, and what a second one does."""

import subprocess
import sys

TWICE = """
import os, signal
from edgeprof.cli.interrupts import ignore, settle

settle()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.SIGINT)
    print("cleaned up")
ignore()
os.kill(os.getpid(), signal.SIGINT)
print("closed")
"""


def test_a_second_ctrl_c_at_once_does_not_cut_short_what_the_first_began():
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("cleaned up\nclosed\n", "")


def test_who_ignores_ctrl_c_goes_on_ignoring_it():
    program = "import os, signal; signal.signal(2, signal.SIG_IGN)\n" + TWICE.split("try:", maxsplit=1)[0]
    program += "os.kill(os.getpid(), signal.SIGINT); print('here')"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("here\n", "")
