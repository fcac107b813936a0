"""What resident and streamed cores share: feeder, array, lanes and writer."""
