"""What a run's samples show: captions of the model beside the corpus's own, their pictures, and what has changed."""
