"""The judge: infilling measured by running what a model wrote."""
