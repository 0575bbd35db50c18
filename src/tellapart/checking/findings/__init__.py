"""The checks, one file each: functions from a data set, its locations or its image facts to findings."""
