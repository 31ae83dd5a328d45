/** Draws a frame with the boxes that were found in it. */

export function drawPrediction(canvas, bitmap, { boxes, width, height }) {
  const context = drawFrame(canvas, bitmap);
  // Senders make frames smaller when the network is slow; boxes are in the pixels of what arrived.
  const [across, down] = [canvas.width / width, canvas.height / height];
  const thickness = Math.max(2, canvas.width / 240);
  context.font = `600 ${Math.round(canvas.width / 40)}px system-ui, sans-serif`;
  context.textBaseline = "bottom";
  for (const { class: name, box: [x, y, w, h], score } of boxes) {
    const [left, top] = [x * across, y * down];
    context.lineWidth = thickness;
    context.strokeStyle = BOX_COLOR;
    context.strokeRect(left, top, w * across, h * down);
    const label = score === undefined ? name : `${name} ${Math.round(score * 100)} %`;
    const bottom = Math.max(top - thickness, canvas.width / 36);
    context.fillStyle = BOX_COLOR;
    context.fillRect(left, bottom - canvas.width / 34, context.measureText(label).width + 8, canvas.width / 34);
    context.fillStyle = "#00150c";
    context.fillText(label, left + 4, bottom);
  }
}

export function drawFrame(canvas, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  }
  const context = canvas.getContext("2d", { alpha: false });
  context.drawImage(bitmap, 0, 0);
  return context;
}

const BOX_COLOR = "#00ff88";
