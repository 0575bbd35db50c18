"""Sources of labelled images: folders, tables, arrays and built-in data sets, each read into a Dataset."""
