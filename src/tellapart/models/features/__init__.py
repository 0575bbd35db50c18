"""Features of frozen backbones: computed once per image and cached on disk."""
