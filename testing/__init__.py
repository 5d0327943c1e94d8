"""What the tests share. It is not part of the distribution.

| module | what |
|---|---|
| `backends` | the backend that runs, and its ways of running a function |
| `cifar10_files` | CIFAR-10 in each form in which it is distributed |
| `damaged_files` | random damage to files, and what readers may do with them |
| `example_runs` | running the examples, and reading what a run leaves |
| `faults` | faults of the machine that a test can cause |
| `file_operations` | what a program does to the files of a folder |
| `models` | tasks from one flat set of options |
| `gradients` | outputs and gradients of a layer, also for the benchmarks |
| `paths` | folders of the repository |
| `programs` | starting a program in a process of its own |
| `published` | the golden files of the published code |
| `ptbxl_release` | a small release of PTB-XL |
| `small_runs` | a run of the examples that is small enough to be repeated |
| `references` | slow implementations of the definitions |
| `strategies` | random options of layers, for Hypothesis |
| `web_server` | a web server with faults |

A test may import from here, but not from another test or from `conftest.py`,
which holds the fixtures.
"""
