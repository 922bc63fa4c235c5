"""What is started in the place of an OpenRLHF program that cannot do what the method asks.

Importing this package loads nothing; torch and OpenRLHF are loaded by the module that is run.
"""
