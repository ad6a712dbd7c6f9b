"""What several folders of the suite share: programs, plain data, golden files, ports."""
