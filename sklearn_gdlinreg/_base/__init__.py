"""What everything else stands on: arrays of any library, threads, rounding, compatibility."""
