/** A worker that tells its page of each frame that leaves the encoder, and lets it go. */

self.onrtctransform = ({ transformer }) => {
  const tell = new TransformStream({
    transform(frame, controller) {
      const rtpTimestamp = frame.getMetadata().rtpTimestamp ?? frame.timestamp;
      self.postMessage({ rtpTimestamp, time: performance.timeOrigin + performance.now() });
      controller.enqueue(frame);
    },
  });
  transformer.readable.pipeThrough(tell).pipeTo(transformer.writable);
};
