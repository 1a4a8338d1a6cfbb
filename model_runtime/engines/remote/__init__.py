"""Engines that are servers: the prompt is written here, and a program behind HTTP continues it.

`engine` is the one engine; a module for each dialect of HTTP says how a prompt is sent and how an
answer is read: `llama_server`, `vllm`, `openai`, `ollama`.
"""
