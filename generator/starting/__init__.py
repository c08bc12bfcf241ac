"""From an app's folder to its first profile: what can be seen there, without running anything."""
