"""The doctor: checks from the kubeconfig to an answer, each resting on those before it.

The running daemon and `llmgwd doctor` perform the same ones; nothing here changes anything.
"""
