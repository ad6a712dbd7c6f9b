"""What each path of the control API answers, one subject a file; `table` lists them all."""
