package turnpike

import android.content.Context
import org.webrtc.Camera2Enumerator
import org.webrtc.EglBase
import org.webrtc.PeerConnectionFactory
import org.webrtc.SurfaceTextureHelper
import org.webrtc.VideoTrack

/** The camera at the back as a video track. The app needs the permission CAMERA before it makes one. */
class Camera(context: Context, factory: PeerConnectionFactory, egl: EglBase) : AutoCloseable {
    private val capturer =
        Camera2Enumerator(context).let { cameras ->
            val name =
                cameras.deviceNames.firstOrNull { cameras.isBackFacing(it) }
                    ?: cameras.deviceNames.firstOrNull()
                    ?: throw IllegalStateException("this device has no camera")
            cameras.createCapturer(name, null)
        }
    private val textures = SurfaceTextureHelper.create("camera", egl.eglBaseContext)
    private val source = factory.createVideoSource(false)

    /** What a session sends. Add a `SurfaceViewRenderer` as a sink to see it. */
    val video: VideoTrack = factory.createVideoTrack("camera", source)

    init {
        capturer.initialize(textures, context, source.capturerObserver)
        capturer.startCapture(640, 480, 30)
    }

    /** To be closed after the sessions that send its video. */
    override fun close() {
        capturer.stopCapture()
        capturer.dispose()
        video.dispose()
        source.dispose()
        textures.dispose()
    }
}
