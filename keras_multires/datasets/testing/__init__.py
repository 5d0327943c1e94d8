"""What the tests of the data sets share."""
