"""What central keeps, one file for each noun: functions over a connection, which the caller opens."""
