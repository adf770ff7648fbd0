"""From a job to a stylized picture."""
