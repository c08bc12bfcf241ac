"""Real cgroups of version 2: a Debian kernel in a virtual machine, with the image of a profile as its file system."""
