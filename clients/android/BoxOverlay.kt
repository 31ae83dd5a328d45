package turnpike

import android.content.Context
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View

/** Draws the boxes of the newest prediction. To be laid over a preview of the same shape as the frames. */
class BoxOverlay(context: Context, attributes: AttributeSet? = null) : View(context, attributes) {
    /** What is drawn, from the main thread. */
    var prediction: Prediction? = null
        set(newest) {
            field = newest
            invalidate()
        }

    private val line =
        Paint().apply {
            style = Paint.Style.STROKE
            strokeWidth = 4f
            color = Color.GREEN
        }
    private val text =
        Paint().apply {
            textSize = 36f
            color = Color.GREEN
        }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val shown = prediction ?: return
        val (frameWidth, frameHeight) = shown.frameSize ?: capturedSize()
        val across = width.toFloat() / frameWidth
        val down = height.toFloat() / frameHeight
        for (box in shown.boxes) {
            val (left, top) = Pair(box.x * across, box.y * down)
            canvas.drawRect(left, top, left + box.width * across, top + box.height * down, line)
            canvas.drawText(box.className, left, top - 8f, text)
        }
    }

    /** For backends that name no size: the camera's, which turns with the device as this view does. */
    private fun capturedSize() = if (width > height) Pair(640, 480) else Pair(480, 640)
}
