package city.sensorthings.frost;

import de.fraunhofer.iosb.ilt.frostserver.service.ServiceResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.util.HashMap;
import java.util.Map;
import javax.servlet.http.HttpServletResponse;

/** What FROST Core answers, written straight to the HTTP response. */
final class ServletServiceResponse implements ServiceResponse {

    private final HttpServletResponse response;
    private final Map<String, String> headers = new HashMap<>();
    private int code;
    private String message;
    private Object result;

    ServletServiceResponse(HttpServletResponse response) {
        this.response = response;
        response.setCharacterEncoding("UTF-8");
    }

    @Override
    public String getContentType() {
        return response.getContentType();
    }

    @Override
    public ServiceResponse setContentType(String contentType) {
        response.setContentType(contentType);
        return this;
    }

    @Override
    public Map<String, String> getHeaders() {
        return headers;
    }

    @Override
    public ServiceResponse addHeader(String name, String value) {
        headers.put(name, value);
        response.addHeader(name, value);
        return this;
    }

    @Override
    public int getCode() {
        return code;
    }

    @Override
    public ServiceResponse setCode(int code) {
        this.code = code;
        response.setStatus(code);
        return this;
    }

    @Override
    public String getMessage() {
        return message;
    }

    @Override
    public ServiceResponse setMessage(String message) {
        this.message = message;
        return this;
    }

    @Override
    public ServiceResponse setStatus(int code, String message) {
        setMessage(message);
        return setCode(code);
    }

    @Override
    public Object getResult() {
        return result;
    }

    @Override
    public ServiceResponse setResult(Object result) {
        this.result = result;
        return this;
    }

    @Override
    public Writer getWriter() {
        try {
            return response.getWriter();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public boolean isSuccessful() {
        return code >= 200 && code < 300;
    }
}
