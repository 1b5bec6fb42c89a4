"""inft: QLoRA fine-tuning of Llama 3.2 Vision and Aya Vision on multilingual news-image captions."""

__version__ = "0.1.0"
