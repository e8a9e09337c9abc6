"""What Attune's programs need to be services: the journal, the watchdog, and turns of tasks that it looks at."""
