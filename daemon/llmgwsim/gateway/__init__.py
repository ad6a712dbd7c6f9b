"""The program in the simulated pods: a LiteLLM gateway with uvicorn's manners.

Imports net alone.
"""
