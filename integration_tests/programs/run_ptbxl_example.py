"""Runs the example of PTB-XL, which downloads the release of another server.

    python run_ptbxl_example.py URL OPTION...

for `download_test.py`.
"""

import sys

import ptbxl as example  # before Keras, whose backend it chooses

from keras_multires.datasets.ptbxl import release
from testing.ptbxl_release import ARCHIVE

url, *options = sys.argv[1:]
release.RELEASE_URL = f"{url}/files/"
release.ARCHIVE_URL = f"{url}{ARCHIVE}"
example.main(options)
