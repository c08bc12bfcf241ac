FIRST = "a line"
