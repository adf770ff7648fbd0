"""What is said and told while a job runs."""
