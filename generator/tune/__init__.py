"""`tune`: which server, workers and threads serve an app best inside its own limits, found by an experiment."""
