"""Downloads a release of PTB-XL.

    python download_release.py URL DIRECTORY

for `download_test.py`. The first line of the output says what it does first.
"""

import sys

from keras_multires.datasets import ptbxl
from testing.ptbxl_release import ARCHIVE

url, directory = sys.argv[1:]
ptbxl.download(directory, f"{url}/files/", f"{url}{ARCHIVE}")
