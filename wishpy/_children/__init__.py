"""A folder for the module path of the Pythons that a program starts: what is in it stands for other packages."""
