"""`--live`: the page that shows a running job."""
