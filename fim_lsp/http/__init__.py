"""Serves the model to clients that speak the APIs of llama.cpp, OpenAI, Mistral, Tabby or Ollama.

Each API has a module that turns its body into a `CompletionQuery` and an answer into its own form.
What lies between is the path that editors take: gate, cache, stop rules, filters, traces.
"""
