"""Writes half of a file and waits to be killed, for `faults_test.py`.

    python write_half_a_file.py FILE

prints a line when the half is written.
"""

import signal
import sys
from pathlib import Path

from keras_multires._files import write_whole

with write_whole(Path(sys.argv[1])) as file:
    file.write(b"half of it")
    file.flush()
    print("half", flush=True)
    signal.pause()
