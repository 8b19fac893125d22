"""What runs in the sandbox's process. Standard library only: nothing of Guard is within reach of the code there."""
