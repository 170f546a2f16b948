"""What is deleted for good, as a plan that can be told before it is carried out, and what then stays for a reason."""
