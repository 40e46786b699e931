"""Cases and schedules, run in memory."""
