"""Units of work done by other processes or machines; knows neither clips nor albums."""
